"""How the networks run: plainly, through OpenVINO on a CPU, on CUDA."""
