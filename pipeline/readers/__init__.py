"""One module for each tool whose files can be imported: where it keeps a call's values."""
