"""Pure planning: no disk, environment, clock, chance or engine."""
