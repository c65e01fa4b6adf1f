
INSERT INTO lease_turns (tenant, turn) VALUES ('acme at api-na.myconnectwise.net', 3);
