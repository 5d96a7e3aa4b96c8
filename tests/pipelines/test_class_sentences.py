"""What the page of the classes says, from scores whose meaning is known."""

from pipelines.classes_record import NUM_DIMENSIONS, dimension_answer, left_out, power_rows


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
    assert dimension_answer(found(30)).startswith("All 30 differ")
    assert dimension_answer(found(0)) == "No single dimension of 30 differs by more than chance."


def test_power_ends_with_the_first_accuracy_that_is_as_good_as_sure() -> None:
    curve = [[0.55, 0.3], [0.6, 0.9], [0.65, 0.999], [0.7, 1.0]]
    assert [accuracy for accuracy, _ in power_rows(curve)] == [0.55, 0.6, 0.65]
    assert len(power_rows(curve[:2])) == 2 and power_rows([]) == []


def test_classes_that_are_not_shown_are_counted() -> None:
    names = [f"s{i}" for i in range(40)]
    assert left_out({"class_names": names}, list(range(12))).startswith("28 more classes")
    assert left_out({"class_names": names[:12]}, list(range(12))) == ""
