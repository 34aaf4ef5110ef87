"""Prompts that validation images can be made from when nobody has written any."""

BUILT_IN_PROMPTS = {
    "portrait": "a portrait of an old fisherman with a grey beard, soft light from a window",
    "group": "three children flying a kite on a beach, seen from behind",
    "hands": "close-up of two hands kneading dough on a floured table",
    "animal": "a red fox standing in fresh snow, looking at the camera",
    "bird": "a kingfisher diving into a pond, drops of water in the air",
    "landscape": "a mountain lake at sunrise with fog above the water",
    "city": "a narrow street in a rainy city at night, neon signs mirrored in puddles",
    "interior": "a small library with wooden shelves, an armchair and a green lamp",
    "food": "a bowl of ramen with a soft egg, steam rising, photographed from above",
    "vehicle": "a yellow vintage tram turning around a corner",
    "product": "a blue ceramic teapot on a white background",
    "text": "a wooden sign at a garden gate that says OPEN",
    "drawing": "a pencil drawing of a sleeping cat",
    "watercolour": "a watercolour painting of a lighthouse in a storm",
    "logo": "a simple flat logo of a mountain and a river",
    "fantasy": "a dragon curled around a lighthouse, painted in oil",
}
"""By a short name; in the order in which they are drawn."""
