"""How far a map can be trusted: one verdict from all that is known, with reasons and remedies."""

from xai_tf.trust.remedies import REMEDIES as REMEDIES
from xai_tf.trust.remedies import Remedy as Remedy
from xai_tf.trust.rule import Checks as Checks
from xai_tf.trust.rule import verdict as verdict
from xai_tf.trust.rule import verdicts as verdicts
from xai_tf.trust.verdict import LEVELS as LEVELS
from xai_tf.trust.verdict import SEVERITIES as SEVERITIES
from xai_tf.trust.verdict import Reason as Reason
from xai_tf.trust.verdict import Verdict as Verdict
from xai_tf.trust.verdict import describe_verdict as describe_verdict
