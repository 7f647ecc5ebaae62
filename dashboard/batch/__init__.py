"""The Batch page: from uploads to results. Only page, session_batch and results_view import streamlit."""
