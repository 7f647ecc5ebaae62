"""The project's own handwriting: strokes, the pictures drawn from them, and the script that draws them."""
