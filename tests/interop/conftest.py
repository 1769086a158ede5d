collect_ignore = ["batch_check.py"]  # runs where the providers' packages are installed
