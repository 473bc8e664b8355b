"""Pages for a browser without a network: everything in one file, for screen and paper."""

from xai_tf.report.bundles import read_bundle as read_bundle
from xai_tf.report.folder import folder_report as folder_report
from xai_tf.report.item import Recording as Recording
from xai_tf.report.item import ReportItem as ReportItem
from xai_tf.report.session import session_report as session_report
