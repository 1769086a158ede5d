"""Collections of chats: ShareGPT, WildChat and LMSYS-Chat. They give prompts, no outcomes."""

from pipeline.readers.fields import Fields, Reader, read_flat

_NOTE = "prompts only: the last user turn is routed, the whole chat is kept"
READERS = (
    Reader(
        name="sharegpt",
        title="ShareGPT conversations",
        signatures=(("conversations.0.from", "conversations.0.value"),),
        read=read_flat(Fields(prompt=("conversations",), prompt_id=("id",))),
        note=_NOTE,
    ),
    Reader(
        name="wildchat",
        title="WildChat conversations",
        signatures=(("conversation_hash", "conversation", "turn", "language"),),
        read=read_flat(
            Fields(
                prompt=("conversation",), prompt_id=("conversation_hash",), started=("timestamp",)
            )
        ),
        note=_NOTE,
    ),
    Reader(
        name="lmsys",
        title="LMSYS-Chat conversations",
        signatures=(("conversation_id", "conversation", "model", "turn", "language"),),
        read=read_flat(Fields(prompt=("conversation",), prompt_id=("conversation_id",))),
        note=_NOTE,
    ),
)
