"""The published state dicts of FID's Inception v3 and of LPIPS: every tensor's name and shape.

Of Inception's the columns are module, channels out, channels in, rows, columns. Beside each
``conv.weight`` stand the batch normalisation's ``bn.weight``, ``bn.bias``, ``bn.running_mean`` and
``bn.running_var``, and ``bn.num_batches_tracked`` in files written by newer releases of PyTorch.
"""

from __future__ import annotations

CONVOLUTIONS = """
Conv2d_1a_3x3                  32    3    3    3
Conv2d_2a_3x3                  32   32    3    3
Conv2d_2b_3x3                  64   32    3    3
Conv2d_3b_1x1                  80   64    1    1
Conv2d_4a_3x3                 192   80    3    3
Mixed_5b.branch1x1             64  192    1    1
Mixed_5b.branch5x5_1           48  192    1    1
Mixed_5b.branch5x5_2           64   48    5    5
Mixed_5b.branch3x3dbl_1        64  192    1    1
Mixed_5b.branch3x3dbl_2        96   64    3    3
Mixed_5b.branch3x3dbl_3        96   96    3    3
Mixed_5b.branch_pool           32  192    1    1
Mixed_5c.branch1x1             64  256    1    1
Mixed_5c.branch5x5_1           48  256    1    1
Mixed_5c.branch5x5_2           64   48    5    5
Mixed_5c.branch3x3dbl_1        64  256    1    1
Mixed_5c.branch3x3dbl_2        96   64    3    3
Mixed_5c.branch3x3dbl_3        96   96    3    3
Mixed_5c.branch_pool           64  256    1    1
Mixed_5d.branch1x1             64  288    1    1
Mixed_5d.branch5x5_1           48  288    1    1
Mixed_5d.branch5x5_2           64   48    5    5
Mixed_5d.branch3x3dbl_1        64  288    1    1
Mixed_5d.branch3x3dbl_2        96   64    3    3
Mixed_5d.branch3x3dbl_3        96   96    3    3
Mixed_5d.branch_pool           64  288    1    1
Mixed_6a.branch3x3            384  288    3    3
Mixed_6a.branch3x3dbl_1        64  288    1    1
Mixed_6a.branch3x3dbl_2        96   64    3    3
Mixed_6a.branch3x3dbl_3        96   96    3    3
Mixed_6b.branch1x1            192  768    1    1
Mixed_6b.branch7x7_1          128  768    1    1
Mixed_6b.branch7x7_2          128  128    1    7
Mixed_6b.branch7x7_3          192  128    7    1
Mixed_6b.branch7x7dbl_1       128  768    1    1
Mixed_6b.branch7x7dbl_2       128  128    7    1
Mixed_6b.branch7x7dbl_3       128  128    1    7
Mixed_6b.branch7x7dbl_4       128  128    7    1
Mixed_6b.branch7x7dbl_5       192  128    1    7
Mixed_6b.branch_pool          192  768    1    1
Mixed_6c.branch1x1            192  768    1    1
Mixed_6c.branch7x7_1          160  768    1    1
Mixed_6c.branch7x7_2          160  160    1    7
Mixed_6c.branch7x7_3          192  160    7    1
Mixed_6c.branch7x7dbl_1       160  768    1    1
Mixed_6c.branch7x7dbl_2       160  160    7    1
Mixed_6c.branch7x7dbl_3       160  160    1    7
Mixed_6c.branch7x7dbl_4       160  160    7    1
Mixed_6c.branch7x7dbl_5       192  160    1    7
Mixed_6c.branch_pool          192  768    1    1
Mixed_6d.branch1x1            192  768    1    1
Mixed_6d.branch7x7_1          160  768    1    1
Mixed_6d.branch7x7_2          160  160    1    7
Mixed_6d.branch7x7_3          192  160    7    1
Mixed_6d.branch7x7dbl_1       160  768    1    1
Mixed_6d.branch7x7dbl_2       160  160    7    1
Mixed_6d.branch7x7dbl_3       160  160    1    7
Mixed_6d.branch7x7dbl_4       160  160    7    1
Mixed_6d.branch7x7dbl_5       192  160    1    7
Mixed_6d.branch_pool          192  768    1    1
Mixed_6e.branch1x1            192  768    1    1
Mixed_6e.branch7x7_1          192  768    1    1
Mixed_6e.branch7x7_2          192  192    1    7
Mixed_6e.branch7x7_3          192  192    7    1
Mixed_6e.branch7x7dbl_1       192  768    1    1
Mixed_6e.branch7x7dbl_2       192  192    7    1
Mixed_6e.branch7x7dbl_3       192  192    1    7
Mixed_6e.branch7x7dbl_4       192  192    7    1
Mixed_6e.branch7x7dbl_5       192  192    1    7
Mixed_6e.branch_pool          192  768    1    1
Mixed_7a.branch3x3_1          192  768    1    1
Mixed_7a.branch3x3_2          320  192    3    3
Mixed_7a.branch7x7x3_1        192  768    1    1
Mixed_7a.branch7x7x3_2        192  192    1    7
Mixed_7a.branch7x7x3_3        192  192    7    1
Mixed_7a.branch7x7x3_4        192  192    3    3
Mixed_7b.branch1x1            320 1280    1    1
Mixed_7b.branch3x3_1          384 1280    1    1
Mixed_7b.branch3x3_2a         384  384    1    3
Mixed_7b.branch3x3_2b         384  384    3    1
Mixed_7b.branch3x3dbl_1       448 1280    1    1
Mixed_7b.branch3x3dbl_2       384  448    3    3
Mixed_7b.branch3x3dbl_3a      384  384    1    3
Mixed_7b.branch3x3dbl_3b      384  384    3    1
Mixed_7b.branch_pool          192 1280    1    1
Mixed_7c.branch1x1            320 2048    1    1
Mixed_7c.branch3x3_1          384 2048    1    1
Mixed_7c.branch3x3_2a         384  384    1    3
Mixed_7c.branch3x3_2b         384  384    3    1
Mixed_7c.branch3x3dbl_1       448 2048    1    1
Mixed_7c.branch3x3dbl_2       384  448    3    3
Mixed_7c.branch3x3dbl_3a      384  384    1    3
Mixed_7c.branch3x3dbl_3b      384  384    3    1
Mixed_7c.branch_pool          192 2048    1    1
"""
# What LPIPS with AlexNet takes of both files; torchvision's holds a classifier besides.
LPIPS_SHAPES = {
    "alexnet-owt-7be5be79.pth": {
        "features.0.weight": (64, 3, 11, 11),
        "features.0.bias": (64,),
        "features.3.weight": (192, 64, 5, 5),
        "features.3.bias": (192,),
        "features.6.weight": (384, 192, 3, 3),
        "features.6.bias": (384,),
        "features.8.weight": (256, 384, 3, 3),
        "features.8.bias": (256,),
        "features.10.weight": (256, 256, 3, 3),
        "features.10.bias": (256,),
    },
    "alex.pth": {
        "lin0.model.1.weight": (1, 64, 1, 1),
        "lin1.model.1.weight": (1, 192, 1, 1),
        "lin2.model.1.weight": (1, 384, 1, 1),
        "lin3.model.1.weight": (1, 256, 1, 1),
        "lin4.model.1.weight": (1, 256, 1, 1),
    },
}
CLASSIFIER = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by name, without the counts of batches."""
    shapes = dict(CLASSIFIER)
    for line in CONVOLUTIONS.split("\n"):
        if line:
            name, *sizes = line.split()
            shape = tuple(map(int, sizes))
            shapes[f"{name}.conv.weight"] = shape
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{name}.bn.{part}"] = shape[:1]
    return shapes
