"""The dashboard, opened by `promptshed app`.

No `url_path` may be the name of a file in `pages/`: under `streamlit run` an address is taken for
a page of Streamlit's old kind until this script has run once, and opened without this frame.
"""

import streamlit as st

from pages.ui import access, shell
from profiles.errors import StoreError

_PAGES = {
    "Start": (
        ("overview", "Overview", "home", "start"),
        ("runs", "Data & runs", "database", "data-and-runs"),
    ),
    "Explore": (("prompt_map", "Map", "scatter_plot", "map"),),
    "Curate": (
        ("inbox", "Review inbox", "inbox", "review"),
        ("domains", "Domains", "category", "taxonomy"),
    ),
    "Compare": (("models", "Models", "grid_on", "profiles"),),
    "Route": (
        ("policy", "Policy", "alt_route", "routing"),
        ("regret", "Regret", "trending_down", "hindsight"),
        ("batch", "Batch", "table_rows", "batch-routing"),
    ),
    "Monitor": (("drift", "Drift & coverage", "monitoring", "coverage"),),
}

st.set_page_config(page_title="Promptshed", page_icon=shell.ICON, layout="wide")
st.logo(shell.LOGO, icon_image=shell.ICON, size="large")
shell.style()
access.require_sign_in()
sections = {
    section: [
        st.Page(f"pages/{file}.py", title=title, icon=f":material/{icon}:", url_path=path)
        for file, title, icon, path in pages
    ]
    for section, pages in _PAGES.items()
}
page = st.navigation(sections, position="hidden")
shell.links(sections)
try:
    shell.sidebar()
    page.run()
except StoreError as error:
    shell.store_problem(error)
