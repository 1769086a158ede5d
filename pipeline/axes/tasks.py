"""Complexity and capabilities: what is to be done, and the signals of it.

Patterns are those of the Rust crate `regex`, which takes time linear in the text whatever it is
fed, and knows no lookaround. Data, not code: the table is the documentation.
"""

from pipeline.axes.axis import Axis, Signal, words

_NUMBER = r"\b\d+(?:[.,]\d+)?\b"
_OPTION = r"(?m)^\s*\(?(?:[A-Ja-j]|\d)[.)]\s"
_BULLET = r"(?m)^\s*(?:[-*•]|\d+[.)])\s"
_CODE = (
    r"```|(?m)^\s*(?:def|class|import|from|function|public|private|const|let|var|return)"
    r"\b.*[(:;{]|(?i)\bselect\b.{1,200}\bfrom\b|</?(?:div|html|script|span|body)\b"
    r"|\w+\(\w*\)\s*[{;]"
)
_LANGUAGES = (
    "arabic|bengali|cantonese|chinese|czech|danish|dutch|english|finnish|french|german|greek|"
    "hebrew|hindi|hungarian|indonesian|italian|japanese|korean|latin|mandarin|norwegian|persian|"
    "polish|portuguese|punjabi|romanian|russian|spanish|swahili|swedish|tagalog|tamil|thai|turkish|"
    "ukrainian|urdu|vietnamese"
)

COMPLEXITY = Axis(
    name="complexity",
    values=("trivial", "medium", "multi-step"),
    base={"trivial": -1.0, "medium": 0.5, "multi-step": -1.0},
    signals=(
        Signal(
            value="trivial",
            name="at most 70 characters",
            pattern=r"(?s)^.{0,70}$",
            weight=2.5,
        ),
        Signal(
            value="trivial",
            name="a greeting or a word of thanks alone",
            pattern=r"(?i)^\W*(?:hi|hello|hey|thanks|thank you|good (?:morning|evening)|ok|yes|no)"
            r"\b.{0,20}$",
        ),
        Signal(
            value="multi-step",
            name="asks for steps, a plan or a design",
            pattern=words(
                r"""
                step[- ]by[- ]step, multi-?step, end-to-end, workflows?, architecture, roadmap,
                plan (?:for|to|a|out), design (?:a|an|the), prove that, derive, implement,
                refactor
                """
            ),
        ),
        Signal(
            value="multi-step",
            name="one thing after another",
            pattern=words(r"then, finally, afterwards?, after that, next, first, second"),
            weight=0.8,
            at_least=2,
        ),
        Signal(
            value="multi-step",
            name="an amount to work out",
            pattern=words(
                r"""
                how (?:many|much|long|far|old), calculate, compute, in total, altogether, total
                (?:cost|number|amount), percent(?:age)?, solve
                """
            ),
            weight=1.0,
        ),
        Signal(
            value="multi-step",
            name="three numbers or more",
            pattern=_NUMBER,
            weight=0.8,
            at_least=3,
        ),
        Signal(
            value="multi-step",
            name="three listed points or more",
            pattern=_BULLET,
            weight=1.0,
            at_least=3,
        ),
        Signal(
            value="multi-step",
            name="several questions",
            pattern=r"\?",
            weight=1.0,
            at_least=3,
        ),
        Signal(value="multi-step", name="over 250 words", pattern=r"\S+", weight=0.6, at_least=250),
        Signal(
            value="medium",
            name="asks for an explanation, a summary or a comparison",
            pattern=words(r"explain, compare, summari[sz]e, why, describe, difference"),
            weight=1.0,
        ),
        Signal(
            value="medium",
            name="options to choose from",
            pattern=_OPTION + r"|(?i)\((?:a|b|c)\)|choices:|options:",
            weight=1.5,
            at_least=2,
        ),
    ),
)

CAPABILITIES = Axis(
    name="capabilities",
    values=(
        "reasoning",
        "comprehension",
        "instruction following",
        "agentic",
        "knowledge retrieval",
        "coding",
        "in-context learning",
        "multilingual",
    ),
    base={"instruction following": 0.1, "in-context learning": -1.0, "multilingual": -1.0},
    is_learned=True,
    signals=(
        Signal(
            value="reasoning",
            name="words of calculation",
            pattern=words(
                r"""
                how (?:many|much), calculate, compute, probability, equations?, solve, prove,
                derive, percent(?:age)?, averages?, total, sum, ratio, integral, derivative,
                velocity, per (?:hour|day|week|month|year|unit)
                """
            ),
            weight=1.5,
        ),
        Signal(
            value="reasoning", name="three numbers or more", pattern=_NUMBER, weight=0.8, at_least=3
        ),
        Signal(
            value="reasoning",
            name="a formula",
            pattern=r"\\(?:frac|sum|int|sqrt|cdot)\b|\d\s*[-+*/=^×]\s*\(?-?\d"
            r"|\b[a-z]\s?[=^]\s?-?\d",
            weight=1.5,
        ),
        Signal(
            value="reasoning",
            name="words of logic",
            pattern=words(
                r"""
                therefore, implies, premises?, conclusions?, deduc\w+, logical\w*, valid, if and
                only if, tells? the truth, lies, true and, and not, not true, neither, puzzle,
                furthest, arranged
                """
            ),
            weight=1.5,
        ),
        Signal(
            value="comprehension",
            name="a text to read",
            pattern=words(
                r"""
                passages?, paragraphs?, context, the (?:text|article|story|document)
                (?:above|below), following
                (?:text|article|sentences?|passage|story|context|conversation), according to the,
                summari[sz]e, main idea, excerpt
                """
            ),
        ),
        Signal(
            value="comprehension",
            name="what a sentence means, or how it goes on",
            pattern=words(
                r"""
                pronouns?, refers? to, sarcas\w+, sentiment, paraphrase, continuation, ending,
                which sentence, sentence plausible, fills? (?:in )?the blank, complete the
                sentence, most (?:plausible|likely) (?:ending|continuation)
                """
            ),
        ),
        Signal(value="comprehension", name="a blank to fill", pattern=r"\s_+[\s.,]", weight=1.5),
        Signal(
            value="instruction following",
            name="a form that the answer must have",
            pattern=words(
                r"""
                (?:no more|less|fewer|more) than \d+ words, at (?:most|least) \d+
                (?:words|sentences), in the style of, as a table, bullet points?, respond (?:only
                )?with, return only, must (?:be|not|have|include), do not (?:use|include|mention),
                format, tone of, persona, act as, you are an?
                """
            ),
            weight=1.5,
        ),
        Signal(
            value="instruction following",
            name="asks to write something",
            pattern=r"(?i)(?:^|[.!?,]\s+)(?:please |can you |could you |help me )?"
            r"(?:write|draft|compose|rewrite|create|generate|give me|list|suggest|propose|edit)\b",
            weight=1.5,
        ),
        Signal(
            value="agentic",
            name="tools or functions to call",
            pattern=words(
                r"""
                available (?:functions|tools), (?:call|use|invoke) (?:the|a|this)
                (?:function|tool|api), tool calls?, api key, browse, search the web, "parameters"
                """
            ),
            weight=6.0,
        ),
        Signal(
            value="agentic",
            name="something to be done for the user",
            pattern=words(
                r"""
                book (?:me|a|the), schedule, remind me, set (?:an?|the|my)
                (?:alarm|timer|reminder), turn (?:on|off|up|down), send (?:an?|the|my), order
                (?:me|more|a), transfer, cancel (?:my|the), call (?:my|me), add (?:\w+ )+to my,
                play (?:some|my|the), my (?:account|card|calendar|list|reservation|balance|order)
                """
            ),
            weight=1.5,
        ),
        Signal(
            value="knowledge retrieval",
            name="asks for a fact",
            pattern=r"(?i)(?:^|[.\n:]\s*)(?:who|what|when|where|which|name the|in what)\b",
            weight=0.9,
        ),
        Signal(
            value="knowledge retrieval",
            name="words of lookup",
            pattern=words(
                r"""
                capital of, invented, discovered, histor\w+, century, known as, called, define,
                definition, defined, refers to, responsible for, characteristics? of, which of the
                following, example of, facts?, what does, tell me (?:about|a|some)
                """
            ),
            weight=0.9,
        ),
        Signal(value="coding", name="code", pattern=_CODE, weight=3.0),
        Signal(
            value="coding",
            name="words of programming",
            pattern=words(
                r"""
                python, javascript, typescript, java, rust, sql, bash, html, css, react,
                php, regex, compil\w+, stack ?trace, unit tests?, debug\w*, codebase, algorithms?,
                github, docker, kubernetes, linux, script, code
                """
            ),
            weight=2.5,
        ),
        Signal(
            value="coding",
            name="asks to write a program",
            pattern=r"(?i)\b(?:write|create|implement) an? (?:\w+ ){0,3}"
            r"(?:function|script|program|class)\b",
            weight=3.0,
        ),
        Signal(
            value="in-context learning",
            name="worked examples",
            pattern=r"(?i)\b(?:output|answer|response|label|sentiment|translation)\s*:",
            weight=4.0,
            at_least=3,
        ),
        Signal(
            value="in-context learning",
            name="pairs with arrows",
            pattern=r"(?m)^.{1,200}\s(?:->|=>|→)\s.{1,200}$",
            weight=3.0,
            at_least=2,
        ),
        Signal(
            value="multilingual",
            name="a language is named",
            pattern=rf"(?i)\b(?:in|into|to|from)\s+(?:{_LANGUAGES})\b|\btranslat\w+",
            weight=3.0,
        ),
        Signal(
            value="multilingual",
            name="letters other than Latin",
            pattern=r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Arabic}\p{Cyrillic}\p{Greek}"
            r"\p{Hebrew}\p{Devanagari}\p{Thai}\p{Bengali}\p{Tamil}]",
            weight=3.0,
            at_least=4,
        ),
        Signal(
            value="multilingual",
            name="small words of another language",
            pattern=words(
                r"""
                el, los, las, una, para, qué, cómo, está, und, der, das, nicht, ist, eine, wie,
                ich, le, les, des, une, est, dans, pour, je, você, não, uma, che, della, sono,
                perché, het, een, niet
                """
            ),
            weight=1.5,
            at_least=3,
        ),
    ),
)
