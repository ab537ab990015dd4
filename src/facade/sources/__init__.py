"""Where synthetic faces come from: formulas, a folder of pictures, or a diffusion model."""
