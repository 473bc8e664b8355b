"""Named regions of an image, marks of people in it, and how much evidence is in each."""

from xai_tf.regions.audit import Audit as Audit
from xai_tf.regions.audit import RegionShare as RegionShare
from xai_tf.regions.audit import audit as audit
from xai_tf.regions.audit import audit_file as audit_file
from xai_tf.regions.folder import FolderRow as FolderRow
from xai_tf.regions.folder import audit_folder as audit_folder
from xai_tf.regions.mark_files import read_marks as read_marks
from xai_tf.regions.marked import MarkedMap as MarkedMap
from xai_tf.regions.marked import MarkRow as MarkRow
from xai_tf.regions.marked import judge as judge
from xai_tf.regions.marked import summarize as summarize
from xai_tf.regions.marked import with_marks as with_marks
from xai_tf.regions.marks import Mark as Mark
from xai_tf.regions.marks import Marks as Marks
from xai_tf.regions.marks import find_marks as find_marks
from xai_tf.regions.marks import match_marks as match_marks
from xai_tf.regions.marks import place_marks as place_marks
from xai_tf.regions.registry import PARTITIONS as PARTITIONS
from xai_tf.regions.registry import Regions as Regions
from xai_tf.regions.registry import regions_of as regions_of
from xai_tf.regions.yardstick import MarkScores as MarkScores
from xai_tf.regions.yardstick import mark_scores as mark_scores
