"""The scripts of `make stress` import each other as scripts do; pytest takes their tests only."""

collect_ignore_glob = ["fuzz_*.py"]
