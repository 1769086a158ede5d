"""Pickers of the sidebar: what is picked stays over pages, and the address names it."""

from collections.abc import Callable, Mapping

import streamlit as st


def picked(name: str) -> str | None:
    """Return the key picked under a name; None stands for the picker's default."""
    return st.session_state.get(state(name))


def follow_address(name: str, options: Mapping[str, str], *, default: str) -> bool:
    """Take what the address names where it changed, and forget what is no option any more.

    Returns
    -------
    bool
        Whether another option is picked now because of the address.
    """
    before, wanted = picked(name), st.query_params.get(name)
    if wanted is not None and wanted not in options:
        del st.query_params[name]
        st.toast(f"The address names a {name} that is not here.", icon=":material/warning:")
    elif wanted is not None and wanted != st.session_state.get(_seen(name)):
        _keep(name, wanted, default)
    if picked(name) not in options:
        st.session_state.pop(state(name), None)
    return picked(name) != before


def pick(
    label: str,
    name: str,
    options: Mapping[str, str],
    *,
    default: str,
    help_: str,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Let one of the options, key to label, be picked; `then` runs before the page is drawn anew.

    The default is followed and not pinned: it leaves no trace in the address.
    """
    now = picked(name) or default
    widget = f"{state(name)}-{hash(tuple(options.items()))}-{now}"

    def take() -> None:
        chosen = str(st.session_state[widget])
        then()
        _keep(name, chosen, default)
        _tell_address(name, chosen, default)

    st.selectbox(
        label,
        list(options),
        index=list(options).index(now),
        format_func=options.__getitem__,
        key=widget,
        on_change=take,
        help=help_,
    )
    _tell_address(name, now, default)


def _tell_address(name: str, now: str, default: str) -> None:
    if now != default:
        st.query_params[name] = now
    elif name in st.query_params:
        del st.query_params[name]
    st.session_state[_seen(name)] = now


def _keep(name: str, key: str, default: str) -> None:
    st.session_state[state(name)] = None if key == default else key


def state(name: str) -> str:
    """Return where the session keeps what is picked under a name."""
    return f"_picked_{name}"


def _seen(name: str) -> str:
    return f"_address_{name}"
