"""Features become scores with reasons.

Train and measure: `models.experiment`, `models.compare`, `models.research`. Keep: `models.tracking`,
`models.registry`. Use: `models.scoring`, which needs none of the modules that train. Nothing is imported
here, so that scoring can run where training cannot.
"""

import os

# Read when LightGBM's OpenMP library loads. Its threads wait for each other by spinning, so that on a
# machine that does anything else as well, training on two threads takes ten times as long as on one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
