"""The flow: each module reads tables from the store, runs pure steps and writes one result."""
