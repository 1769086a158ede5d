"""The dashboard: `promptshed app`, or `streamlit run app.py`."""

import streamlit as st

from pages.ui import shell
from profiles.errors import StoreError

st.set_page_config(page_title="Promptshed", page_icon=shell.ICON, layout="wide")
st.logo(shell.LOGO, icon_image=shell.ICON, size="large")

page = st.navigation(
    {
        "Start": [
            st.Page("pages/overview.py", title="Overview", icon=":material/home:", default=True)
        ],
        "Explore": [
            st.Page("pages/prompt_map.py", title="Map", icon=":material/scatter_plot:"),
        ],
        "Curate": [
            st.Page("pages/domains.py", title="Domains", icon=":material/category:"),
        ],
        "Compare": [
            st.Page("pages/models.py", title="Models", icon=":material/grid_on:"),
        ],
        "Route": [
            st.Page("pages/policy.py", title="Policy", icon=":material/alt_route:"),
        ],
    }
)

try:
    shell.sidebar()
    page.run()
except StoreError as error:
    shell.store_problem(error)
