"""The command line: one module for each group of verbs; options in, one flow, text out."""
