"""The Batch page: from uploaded files to a table of what is read in them. Only `page_*` modules import streamlit."""
