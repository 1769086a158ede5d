"""Who may decide: a server that only shows things, and people who have signed in."""

import getpass
import os

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

READ_ONLY = "PROMPTSHED_READ_ONLY"
"""Environment variable that `promptshed app --read-only` sets to 1."""
ACTOR = "actor"
"""Where the session keeps the name typed for decisions."""
REFUSAL = (
    "This dashboard only shows things. Decide on the command line, or start it without --read-only."
)


def may_decide() -> bool:
    """Tell whether decisions are taken here; whoever asks shows no button if not."""
    return os.environ.get(READ_ONLY) != "1"


def explain() -> None:
    """Say in place of a form why there is none."""
    st.info(REFUSAL, icon=":material/lock:")


def has_sign_in() -> bool:
    """Tell whether an OpenID Connect provider is configured in `.streamlit/secrets.toml`."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def require_sign_in() -> None:
    """Stop with a button until someone has signed in, where a provider is configured."""
    if not has_sign_in() or st.user.is_logged_in:
        return
    st.title("Promptshed")
    st.write("Sign in to see what is asked, and what it costs.")
    st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
    st.stop()


def who() -> str | None:
    """Return the name of who has signed in; None where nobody has to."""
    if not has_sign_in() or not st.user.is_logged_in:
        return None
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub"))


def choose_actor() -> str:
    """Return who decides: who has signed in, or else the name typed here."""
    known = who()
    if known is not None:
        st.caption(f"Decided by {known}")
        return known
    st.text_input("Decided by", getpass.getuser(), key=ACTOR, persist_state="session", width=260)
    return actor()


def actor() -> str:
    """Return who decides, as `choose_actor` has asked; for callbacks, which run before it."""
    return who() or str(st.session_state.get(ACTOR) or "").strip() or getpass.getuser()
