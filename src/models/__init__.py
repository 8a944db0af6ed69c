"""Features become scores with reasons.

Train and measure: `models.experiment`, `models.compare`, `models.research`. Keep: `models.tracking`,
`models.registry`. Use: `models.scoring`, which needs none of the modules that train. Nothing is imported
here, so that scoring can run where training cannot.
"""
