"""Self-contained HTML reports: everything in one file, for screen and print."""

from xai_tf.bundles.read import read_bundle as read_bundle
from xai_tf.bundles.record import Recording as Recording
from xai_tf.bundles.record import ReportItem as ReportItem
from xai_tf.reports.folder import folder_report as folder_report
from xai_tf.reports.session import session_report as session_report
