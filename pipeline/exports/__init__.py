"""The routing table in other services' formats; each says what it cannot carry."""
