"""What a prompt asks for, beside its domain."""
