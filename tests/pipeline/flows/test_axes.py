import numpy as np

from pipeline.axes.tasks import CAPABILITIES
from pipeline.estimators.base import Prompts
from pipeline.estimators.inference_dynamics import InferenceDynamics
from pipeline.flows.axes import learn_capabilities
from tests.support import HashEncoder, outcomes_of

CODE = "Write a python function that reverses a list, number {}."
FACT = "In which year was treaty number {} signed?"


def prompts_of(texts):
    return Prompts(
        texts=tuple(texts),
        vectors=HashEncoder().encode(texts),
        memberships=np.ones((len(texts), 1)),
    )


def test_capabilities_are_learnt_from_prompts_alone():
    """One row for each prompt that is asked about, one column for each capability."""
    learned = learn_capabilities(
        prompts_of([form.format(i) for i in range(40) for form in (CODE, FACT)])
    )
    amounts = learned(prompts_of([CODE.format(99), FACT.format(99)]))
    assert amounts.shape == (2, len(CAPABILITIES.values))
    coding = CAPABILITIES.values.index("coding")
    assert amounts[0, coding] > 0.5 > amounts[1, coding]


def test_what_a_prompt_asks_for_decides_where_domains_do_not():
    """Two models, one right on code and one on facts, in a single domain."""
    train = prompts_of([form.format(i) for i in range(40) for form in (CODE, FACT)])
    quality = np.tile([[1.0, 0.0], [0.0, 1.0]], (40, 1))
    asked = prompts_of([CODE.format(99), FACT.format(99)])
    both = InferenceDynamics(capabilities=learn_capabilities)
    found = both.fit(train, outcomes_of(quality)).estimate(asked).quality
    assert found.argmax(axis=1).tolist() == [0, 1]
    alone = InferenceDynamics().fit(train, outcomes_of(quality)).estimate(asked).quality
    assert np.ptp(alone) == 0.0
