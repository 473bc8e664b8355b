"""Named regions of an image, and how much of a map's evidence is in each."""

from xai_tf.regions.audit import Audit as Audit
from xai_tf.regions.audit import RegionShare as RegionShare
from xai_tf.regions.audit import audit as audit
from xai_tf.regions.audit import audit_file as audit_file
from xai_tf.regions.folder import FolderRow as FolderRow
from xai_tf.regions.folder import audit_folder as audit_folder
from xai_tf.regions.registry import PARTITIONS as PARTITIONS
from xai_tf.regions.registry import Regions as Regions
from xai_tf.regions.registry import regions_of as regions_of
