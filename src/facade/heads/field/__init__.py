"""The head as a signed-distance field, and the rays that look for it. All of it is compiled by numba.

A field gives for every point of space how far the nearest surface is, in cm; negative inside. Axes: x to the right of
the picture, y up, z towards the camera; the origin lies between the pupils, on the plane that touches the forehead.

Throughout, `P` is the head (a record of `anatomy.HEAD`), `side` the distance from its middle plane, `pixel` the size of
a pixel on the head in cm; `N` is a normal, `C` what `material.paint` fills in, `R` the rotation from head to camera.
"""
