"""How good the lite picture is, on people that nothing was trained on: figures and a sheet."""
