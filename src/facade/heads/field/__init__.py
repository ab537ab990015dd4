"""The head as a signed distance field, and its ray marcher. Everything is compiled by numba.

A field gives the distance to the nearest surface for every point in space, in cm; negative inside. Axes: x to the right
of the picture, y up, z towards the camera; the origin lies between the pupils, on the plane that touches the forehead.

Throughout, `P` is the head (a record of `anatomy.HEAD`), `side` the distance from the sagittal plane, `pixel` the size
of a pixel on the head in cm; `N` is a normal, `C` the output of `material.paint`, `R` the rotation from head to camera
axes.
"""
