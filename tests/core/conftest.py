"""Property tests of pure code: the same examples everywhere, and no deadline, since cores may be shared."""

from hypothesis import settings

settings.register_profile("listenkey", deadline=None, derandomize=True)
settings.load_profile("listenkey")
