//! Simulated Cisco Umbrella and ConnectWise PSA services.
