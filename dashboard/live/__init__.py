"""The Live page: samples, figures, charts and a test load. Only the page itself imports streamlit."""
