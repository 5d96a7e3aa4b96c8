"""What the page of the classes says of latent dimensions."""

from pipelines.classes_record import NUM_DIMENSIONS, dimension_answer


def found(num_differing: int, total: int = 30) -> dict[str, object]:
    return {
        "explained": [0.9 - 0.01 * i for i in range(total)],
        "p_values": [0.001 if i < num_differing else 0.6 for i in range(total)],
        "minimum_p": 0.001,
    }


def test_the_differing_dimensions_are_listed_and_the_rest_counted() -> None:
    first = ", ".join(map(str, range(NUM_DIMENSIONS)))
    assert dimension_answer(found(22)).endswith(f"most first: {first} and {22 - NUM_DIMENSIONS} more.")
    assert dimension_answer(found(2)) == "2 of 30 differ between the classes, most first: 0, 1."
    assert dimension_answer(found(0)) == "No single dimension of 30 differs by more than chance."
