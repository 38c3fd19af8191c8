"""The explorer: one offline HTML file with the Gumbel-Softmax widget and a trained decoder inside."""

from tf_discrete.explorer.assembly import is_page, page
from tf_discrete.explorer.packed import pack
from tf_discrete.explorer.payload import Examples, check_model, decode, generate, of_model

__all__ = ["Examples", "check_model", "decode", "generate", "is_page", "of_model", "pack", "page"]
