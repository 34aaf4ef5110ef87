"""The sizes of pictures and videos that were looked at before, so that a large folder is read once; may be emptied at any
time."""

from sqlalchemy import Column, Float, Integer, Table, Text

from service.database import metadata
from service.read_models.columns import Big

picture_sizes = Table(
    "picture_sizes",
    metadata,
    Column("path", Text, primary_key=True),
    Column("changed_ns", Big, nullable=False),
    Column("num_bytes", Big, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
)
"""width, height: of the upright picture; null for a file that cannot be read as one."""

video_sizes = Table(
    "video_sizes",
    metadata,
    Column("path", Text, primary_key=True),
    Column("changed_ns", Big, nullable=False),
    Column("num_bytes", Big, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("num_frames", Integer),
    Column("seconds", Float),
)
"""As picture_sizes, with how long they are."""
