"""Urgency, tone and sensitivity: how and of what it is spoken, and the signals of it.

Patterns are those of the Rust crate `regex`, which takes time linear in the text whatever it is
fed, and knows no lookaround. Data, not code: the table is the documentation.
"""

from pipeline.axes.axis import Axis, Signal, words

URGENCY = Axis(
    name="urgency",
    values=("low", "normal", "high"),
    base={"low": -2.0, "normal": 1.0, "high": -2.0},
    signals=(
        Signal(
            value="high",
            name="says that it is urgent",
            pattern=words(
                r"""
                urgent(?:ly)?, asap, as soon as possible, immediately, right (?:now|away),
                emergency, hurry, time[- ]sensitive, can'?t wait, urgente, dringend, sofort,
                d'urgence, 緊急, срочно, 紧急, عاجل
                """
            ),
            weight=4.0,
        ),
        Signal(
            value="high",
            name="a near deadline",
            pattern=words(
                r"""
                (?:due|deadline|needed?|before|by) (?:is )?(?:today|tonight|tomorrow|in an
                hour|noon|midnight), within (?:the|an|one|\d+) (?:hours?|minutes?), in the next
                (?:hour|\d+ minutes), last minute, running out of time
                """
            ),
            weight=4.0,
        ),
        Signal(
            value="high",
            name="something is down or someone is in danger",
            pattern=words(
                r"""
                production (?:is )?(?:down|broken), outage, (?:site|server|system) is down,
                bleeding, can'?t breathe, overdos\w+, chest pain, unconscious, poison(?:ed|ing)
                """
            ),
            weight=4.0,
        ),
        Signal(
            value="low",
            name="says that there is time",
            pattern=words(
                r"""
                no (?:rush|hurry), not urgent, whenever you (?:can|like|have), take your time,
                when you have (?:time|a moment), at your leisure, low priority, some ?day, keine
                eile, sin prisa, pas urgent
                """
            ),
            weight=9.0,
        ),
    ),
)

TONE = Axis(
    name="tone",
    values=("neutral", "polite", "casual", "frustrated"),
    base={"neutral": 1.0, "polite": -1.0, "casual": -1.0, "frustrated": -2.0},
    signals=(
        Signal(
            value="polite",
            name="polite words",
            pattern=words(
                r"""
                please, kindly, thank you, thanks, would you, could you, i'?d appreciate,
                grateful, sorry to, por favor, gracias, bitte, danke, s'il (?:te|vous) pla[iî]t,
                merci, per favore
                """
            ),
            weight=2.5,
        ),
        Signal(
            value="casual",
            name="casual words",
            pattern=words(
                r"""
                hey, yo, gonna, wanna, gimme, lol, lmao, dude, bro, btw, idk, u, ur, pls, plz,
                thx, what'?s up, kinda, cool
                """
            ),
            weight=2.5,
        ),
        Signal(value="casual", name="an emoji", pattern=r"[\x{1F300}-\x{1FAFF}]", weight=2.5),
        Signal(
            value="frustrated",
            name="words of annoyance",
            pattern=words(
                r"""
                frustrat\w+, annoy\w+, ridiculous, useless, terrible, unacceptable, fed up, wtf,
                damn, still (?:not|doesn'?t|isn'?t) work\w*, for the (?:third|last|hundredth)
                time, why (?:won'?t|doesn'?t|can'?t) (?:this|it|you), sick of, waste of time,
                angry
                """
            ),
            weight=4.0,
        ),
        Signal(value="frustrated", name="several marks in a row", pattern=r"[!?]{3,}", weight=3.0),
    ),
)

SENSITIVITY = Axis(
    name="sensitivity",
    values=("none", "medical", "legal", "financial", "self-harm", "personal data"),
    base={
        "medical": -3.0,
        "legal": -3.0,
        "financial": -3.0,
        "self-harm": -4.0,
        "personal data": -4.0,
    },
    is_many=True,
    is_learned=True,
    signals=(
        Signal(
            value="medical",
            name="words of illness and care",
            pattern=words(
                r"""
                health, patients?, symptoms?, diagnos\w+, diseases?, medic(?:al|ine|ations?),
                doctors?, physicians?, nurses?, hospital, surg(?:ery|ical|eon), cancer, tumou?rs?,
                infections?, blood (?:pressure|sugar|test), prescri\w+, dos(?:e|age), drugs?,
                clinical, therap(?:y|ies), treatment, vaccin\w+, diabet\w+, pregnan\w+, year-old
                (?:man|woman|boy|girl|male|female), fever, syndrome, antibiotics?, hepat\w+,
                vir(?:us|al|uses), genetic\w*, muscles?, nerves?, arter(?:y|ies), bones?,
                cardi\w+, renal, lesions?, anemia, insulin, médico, médecin, arzt, síntomas,
                krankheit, врач, 医生
                """
            ),
            weight=3.5,
        ),
        Signal(
            value="legal",
            name="words of law",
            pattern=words(
                r"""
                laws?, legal(?:ly)?, lawsuits?, lawyers?, attorneys?, courts?, judges?,
                jur(?:y|ies|isdiction), plaintiffs?, defendants?, contracts?, statutes?,
                liab(?:le|ility), sue[ds]?, negligence, constitution(?:al)?, tenants?, landlords?,
                felony, convicted, prosecut\w+, testif\w+, testimony, treaty, copyright, patent,
                divorce, custody, gdpr, criminal, homicide, murder, evidence, avocat, abogado,
                rechtsanwalt, gericht, юрист, 律师
                """
            ),
            weight=3.5,
        ),
        Signal(
            value="financial",
            name="words of money and credit",
            pattern=words(
                r"""
                bank(?:ing)?, accounts?, credit (?:card|score|limit|history), cards?, loans?,
                mortgages?, interest rates?, invest(?:ing|ments?|ors?)?, stocks?, bonds?,
                portfolio, tax(?:es|able)?, 401k, dividends?, balance sheet, audit\w*, ira, apr,
                fico, direct deposit, transactions?, payment, pay my, bill, checking, savings,
                deposit, overdraft, rollover, banco, préstamo, kredit, steuern?, impôts?, кредит,
                银行
                """
            ),
            weight=3.2,
        ),
        Signal(
            value="self-harm",
            name="words of self-harm",
            pattern=words(
                r"""
                suicid\w+, kill myself, hurt(?:ing)? myself, self[- ]harm\w*, end my life, want to
                die, cut(?:ting)? myself, no reason to live, better off dead, overdose, suicidio,
                selbstmord, suicide
                """
            ),
            weight=6.0,
        ),
        Signal(
            value="personal data",
            name="an e-mail address",
            pattern=r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}",
            weight=6.0,
        ),
        Signal(
            value="personal data",
            name="a number like one of a card, account, phone or person",
            pattern=r"\b(?:\d{4}[ -]?){3}\d{4}\b|\b\d{3}-\d{2}-\d{4}\b"
            r"|\+\d{1,3}[ -]?(?:\(?\d{2,4}\)?[ -]?){2,4}\d{2,4}"
            r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b",
            weight=6.0,
        ),
        Signal(
            value="personal data",
            name="words for someone's particulars",
            pattern=words(
                r"""
                social security number, ssn, passport (?:number|no), date of birth, home address,
                my (?:full )?name is, phone number is, my address is, driver'?s licen[cs]e number
                """
            ),
            weight=5.0,
        ),
    ),
)
