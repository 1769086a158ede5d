"""The views: one Streamlit page for each question."""
