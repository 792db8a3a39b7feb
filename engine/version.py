"""The version of stepgrad, for the package, the command and the build."""

VERSION = "0.1.0"
