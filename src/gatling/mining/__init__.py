"""Mining: where a model errs, samples made to hit there, and an adversary that searches for more."""
