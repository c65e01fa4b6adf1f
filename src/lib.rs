//! psasync keeps ConnectWise PSA configuration records in step with Cisco Umbrella.
