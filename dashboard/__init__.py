"""The Streamlit dashboard: speaks HTTP to the server and runs without torch."""
