"""The Live page's parts: what samples, computes, draws and loads; only the page itself imports streamlit."""
