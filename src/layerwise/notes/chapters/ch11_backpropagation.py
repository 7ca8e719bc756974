import marimo

app = marimo.App(app_title="11 Backpropagation", width="medium")


@app.cell(hide_code=True)
def _():
    import marimo as mo
    import numpy as np

    import layerwise as lw
    from layerwise import notes

    return lw, mo, notes, np


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # 11 Backpropagation

    The gradient at the last pre-activation is known: $\nabla_{a^{(L+1)}}\, l = f - e(y)$ for softmax
    ([chapter 10](../gradient/)). From there the chain rule goes down, layer by layer, and each layer needs only what
    the one above has handed to it:

    $$\begin{aligned}
    \nabla_{W^{(k)}}\, l &= \nabla_{a^{(k)}}\, l \; {h^{(k-1)}}' &&\text{and}\quad
    \nabla_{b^{(k)}}\, l = \nabla_{a^{(k)}}\, l \\
    \nabla_{h^{(k-1)}}\, l &= {W^{(k)}}' \, \nabla_{a^{(k)}}\, l \\
    \nabla_{a^{(k-1)}}\, l &= \nabla_{h^{(k-1)}}\, l \odot g'(a^{(k-1)})
    \end{aligned}$$

    (A dash after a matrix or vector transposes it, $\odot$ multiplies entry by entry.) All gradients together cost
    about as much as two forward passes, however many parameters there are.

    ## The flow graph

    Up: every node computes its value from those below (*fprop*). Down: every node hands on the gradient of the loss
    with respect to its inputs (*bprop*). Move the step forward, and back.
    """)
    return


@app.cell(hide_code=True)
def _(lw, mo, notes):
    L = mo.ui.dropdown({"1": 1, "2": 2}, value="1", label="hidden layers $L$")
    g = mo.ui.dropdown(["tanh", "sigmoid", "relu"], value="tanh", label="$g$")
    x_1 = mo.ui.slider(-3, 3, 0.1, value=0.5, label="$x_1$", show_value=True)
    x_2 = mo.ui.slider(-3, 3, 0.1, value=-1, label="$x_2$", show_value=True)
    right = mo.ui.dropdown({"0": 0, "1": 1}, value="1", label="right class $y$")
    step_counts = {
        depth: len(lw.FlowGraphDisplay.from_network(lw.Network(2, [3] * depth, 2), ax=notes.figure()).steps)
        for depth in (1, 2)
    }
    return L, g, right, step_counts, x_1, x_2


@app.cell(hide_code=True)
def _(L, g, mo, right, step_counts, x_1, x_2):
    step = mo.ui.slider(0, step_counts[L.value], 1, value=2, label="step", show_value=True, full_width=True)
    mo.vstack([step, mo.hstack([x_1, x_2, right, L, g], justify="start", gap=1.5, wrap=True)])
    return (step,)


@app.cell
def _(L, g, lw, right, x_1, x_2):
    net = lw.Network(2, [3] * L.value, 2, hidden=g.value)
    theta = net.initialize(seed=1)
    x, y = [[x_1.value, x_2.value]], [right.value]
    trace = net.trace(theta, x, y)
    return net, theta, trace, x, y


@app.cell
def _(L, lw, net, notes, step, theta, x, y):
    graph = lw.FlowGraphDisplay.from_network(
        net, theta, x, y, step=step.value, ax=notes.figure(7, 2.3 + 1.7 * (L.value + 0.8))
    )
    notes.show(graph, f"The flow graph of the network after step {step.value}, with the values computed so far.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Line by line

    For any loss $l$ and any $g$, SymPy proves each line, entry by entry and as matrices, for layers of 2 and 3 units.
    The numbers are those of the last layer above.
    """)
    return


@app.cell
def _(g, net, notes, theta, trace):
    k = net.L + 1
    # At 0 some activations have no derivative, and a check there would be refused.
    below = [value or 1e-9 for value in trace.a[k - 1][0].tolist()]
    notes.proof(
        "hidden_layers",
        numbers={"W": theta.W[k], "b": theta.b[k], "a": below, "grad_a": trace.grad_a[k][0], "g": g.value},
    )
    return


@app.cell(hide_code=True)
def _(lw):
    through_a_layer = lw.proofs.hidden_layers
    return (through_a_layer,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## By hand, and by name

    The same rules in NumPy. Rows are examples, so a vector of the formulas is a row here, and $\nabla_a\, l\; h'$ is
    `grad_a.T @ h`. `net.trace` has every one of these by its name; the table compares.
    """)
    return


@app.cell
def _(g, net, np, theta, trace, y):
    slopes = {"tanh": lambda a, h: 1 - h**2, "sigmoid": lambda a, h: h * (1 - h), "relu": lambda a, h: a > 0}
    by_hand = {}
    grad_a = trace.f - np.eye(2)[y]
    for j in range(net.L + 1, 0, -1):
        by_hand[f"grad_a[{j}]"] = grad_a
        by_hand[f"grad_W[{j}]"] = grad_a.T @ trace.h[j - 1]
        by_hand[f"grad_b[{j}]"] = grad_a.sum(axis=0)
        by_hand[f"grad_h[{j - 1}]"] = grad_h = grad_a @ theta.W[j]
        if j > 1:
            grad_a = grad_h * slopes[g.value](trace.a[j - 1], trace.h[j - 1])
    return (by_hand,)


@app.cell(hide_code=True)
def _(by_hand, mo, np, trace):
    _named = trace.quantities()
    mo.md("\n".join(
        ["| name | shape | `net.trace` | largest difference |", "| :--- | :--- | :--- | :--- |"]
        + [
            f"| `{name}` | {' x '.join(map(str, _named[name].shape))} "
            f"| {(np.round(_named[name], 3) + 0.0).tolist()} "
            f"| {np.abs(_named[name] - value).max():.1g} |"
            for name, value in by_hand.items()
        ]
    ))  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The program that runs it

    An engine does not interpret layers: the rules are recorded once as a flat list of steps, fprop, bprop and the
    update in one, and this list is what runs for every batch.
    """)
    return


@app.cell
def _(mo, net):
    printed = str(net.program("train_step"))
    mo.accordion({'print(net.program("train_step"))': mo.md(f"```text\n{printed}\n```")})
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Is the gradient right?

    Along a direction $v$ of $\theta$ the slope of the objective $J$ is $v' \nabla J$. Difference quotients come near:

    $$\frac{J(\theta + \varepsilon v) - J(\theta)}{\varepsilon} \quad\text{(forward, error of the order } \varepsilon)
      \qquad
      \frac{J(\theta + \varepsilon v) - J(\theta - \varepsilon v)}{2 \varepsilon}
      \quad\text{(central, } \varepsilon^2)$$

    A smaller $\varepsilon$ helps until the rounding of $J$, divided by $\varepsilon$, takes over: a **V**. Make a
    mistake on purpose, and the error stays large whatever $\varepsilon$ is.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    exponent = mo.ui.slider(-13, -1, 0.5, value=-5, label=r"$\log_{10} \varepsilon$", show_value=True)
    mistake = mo.ui.dropdown(["none", "g' forgotten", "a wrong sign in b", "not divided by n"], value="none",
                             label="mistake")  # fmt: skip
    digits = mo.ui.dropdown(["float64", "float32"], value="float64", label="numbers")
    mo.hstack([exponent, mistake, digits], justify="start", gap=2)
    return digits, exponent, mistake


@app.cell
def _(digits, lw, notes, np):
    iris = notes.Table.named("iris")
    X, kinds = iris.X[::5], iris.y[::5]
    wide = lw.Network(4, [6], 3, hidden="tanh")
    start = wide.initialize(seed=0, dtype=digits.value)
    along = np.random.default_rng(0).normal(size=wide.n_parameters)
    eps = 10.0 ** np.arange(-13, -0.9, 0.5)

    def objective(distance):
        """J at a distance from start."""
        moved = start.copy()
        moved.vector = start.vector + distance * along
        return wide.trace(moved, X, kinds).objective

    ahead, behind = (np.array([objective(sign * e) for e in eps]) for sign in (1, -1))
    quotients = {"forward": (ahead - objective(0)) / eps, "central": (ahead - behind) / (2 * eps)}
    return X, along, eps, iris, kinds, quotients, start, wide


@app.cell(hide_code=True)
def _(X, kinds, lw, np, start, wide):
    def with_mistake(mistake):
        """The gradient of all parameters, with a mistake that people make."""
        t = wide.trace(start, X, kinds)
        found = lw.Parameters(wide, t.gradient.copy())
        if mistake == "g' forgotten":
            grad_h1 = t.grad_h[1] / len(X)
            found.W[1][...], found.b[1][...] = grad_h1.T @ t.h[0], grad_h1.sum(axis=0)
        elif mistake == "a wrong sign in b":
            found.b[2][...] *= -1
        elif mistake == "not divided by n":
            found.vector *= len(X)
        return found.vector.astype(np.float64)

    return (with_mistake,)


@app.cell
def _(along, eps, exponent, mistake, notes, np, quotients, with_mistake):
    claimed = with_mistake(mistake.value) @ along
    at = np.abs(np.log10(eps) - exponent.value).argmin()
    vee = notes.figure(8, 4)
    said = []
    for color, (kind, quotient) in zip(("#D55E00", "#0072B2"), quotients.items(), strict=True):
        error = np.abs(quotient - claimed) / abs(claimed)
        vee.loglog(eps, np.maximum(error, 1e-16), "o-", color=color, markersize=3, label=kind)
        vee.plot(eps[at], max(error[at], 1e-16), "o", color=color, markersize=9)
        said.append(f"{kind} {error[at]:.1e}")
    vee.set(xlabel=r"$\varepsilon$", ylabel="relative error", ylim=(1e-13, 1e3), title=",  ".join(said))
    vee.legend(loc="upper right")
    notes.show(vee, "The error of forward and central difference quotients over the step size.")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    `lw.check_gradient` does this for every parameter by itself, in float64, with two central differences that cancel
    the error of the order $\varepsilon^2$, and away from kinks. This is what it says about the network above:
    """)
    return


@app.cell
def _(lw, mo, net, theta, x, y):
    check = lw.check_gradient(net, theta, x, y, penalty=lw.L2(0.01))
    found = ", ".join(f"{name}: {error:.1e}" for name, error in check.relative_error.items())
    mo.md(f"Largest relative error **{check.max_relative_error:.1e}** of {net.n_parameters} parameters ({found}).")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Each example has its own

    The gradient of a batch is the mean of its examples' gradients, and these differ. At first all examples pull about
    as hard; after some epochs most have little left to say, and a few do the teaching.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    epochs = mo.ui.slider(0, 40, 1, value=10, label="epochs of training", show_value=True)
    mo.hstack([epochs], justify="start")
    return (epochs,)


@app.cell
def _(epochs, iris, lw, notes, np, wide):
    trained = wide.initialize(seed=0)
    if epochs.value:
        trained = lw.fit(
            wide, iris.X, iris.y, update=lw.SGD(0.1), batch_size=10, epochs=epochs.value, seed=0
        ).parameters
    each = lw.per_example_gradients(wide, trained, iris.X, iris.y)
    batch = wide.trace(trained, iris.X, iris.y)
    lengths = np.linalg.norm(each, axis=1)

    own = notes.figure(8, 3.8)
    for code, kind_name in enumerate(iris.classes):
        of = iris.y == code
        own.plot(batch.losses[of], lengths[of], "o", alpha=0.5, label=kind_name)
    own.axhline(np.linalg.norm(batch.gradient), color="0.3", linestyle=":", label="length of their mean")
    own.set(xlabel="loss of the example", ylabel="length of its gradient", xscale="log", xlim=(1e-4, 10), ylim=(0, 4))
    own.legend(loc="upper left")
    notes.show(own, "The length of each example's gradient over its loss, by class.")
    return batch, each


@app.cell(hide_code=True)
def _(batch, each, mo, np):
    mo.md(
        f"`lw.per_example_gradients` gives {each.shape[0]} rows of {each.shape[1]} numbers; their mean differs from "
        f"the batch's gradient by at most {np.abs(each.mean(axis=0) - batch.gradient).max():.0e}."
    )
    return


@app.cell(hide_code=True)
def _(lw, notes, np):
    def of_three_neurons(grad_W2, grad_W1, grad_b1):
        """Whether they are the gradients of the little network of the exercise."""
        little = lw.Network(1, [1], 1, hidden="relu", output="identity")
        numbers = little.initialize()
        numbers.vector = [0.5, 0, 3, -1]
        t = little.trace(numbers, [[2.0]], [[1.0]])
        wanted = (
            ("W^{(2)}", grad_W2, t.grad_W[2]),
            ("W^{(1)}", grad_W1, t.grad_W[1]),
            ("b^{(1)}", grad_b1, t.grad_b[1]),
        )
        wrong = [f"${name}$" for name, given, value in wanted if abs(given - value.item()) > 1e-6]
        return not wrong or f"Look again at {', '.join(wrong)}."

    def passes_needed(passes):
        """Whether so many forward passes make central differences of all parameters of 784-100-10."""
        P = lw.Network(784, [100], 10).n_parameters
        return passes == 2 * P or ("There are two for each parameter." if passes == P else False)

    def of_a_batch(product):
        """Whether the product is the sum over rows of the gradient of W2, for a network of three different sizes."""
        some = lw.Network(2, [3], 4)
        rows = np.array([[0.5, -1.0], [1.0, 2.0], [0.0, 0.3], [-1.0, 1.0], [2.0, 0.1]])
        t = some.trace(some.initialize(seed=0), rows, [0, 1, 2, 3, 0])
        a, h = t.grad_a[2], t.h[1]
        products = {
            "grad_a.T @ h": a.T @ h, "h.T @ grad_a": h.T @ a,
            outer: np.outer(a.sum(axis=0), h.sum(axis=0)),
        }  # fmt: skip
        made = products[product]
        if made.shape != (4, 3):
            return f"With 3 units below and 4 in the layer it has the shape {made.shape}, and W has (4, 3)."
        return np.allclose(made / 5, t.grad_W[2]) or "It mixes one example's gradient with another's $h$."

    outer = "np.outer(grad_a.sum(axis=0), h.sum(axis=0))"
    exercises = notes.Exercises(
        notes.Exercise(
            r"$a^{(1)} = \tfrac{1}{2} x$, $h^{(1)} = \max(a^{(1)}, 0)$, $f = a^{(2)} = 3 h^{(1)} - 1$ and "
            r"$l = \tfrac{1}{2} (f - y)^2$, with $x = 2$ and $y = 1$. What are the gradients of $W^{(2)}$, $W^{(1)}$ "
            "and $b^{(1)}$ (which is 0)?",
            {"grad_W2": notes.Number(r"$W^{(2)}$"), "grad_W1": notes.Number(r"$W^{(1)}$"),
             "grad_b1": notes.Number(r"$b^{(1)}$")},
            check=of_three_neurons,
            answer={"grad_W2": "1", "grad_W1": "6", "grad_b1": "3"},
            wrong=[{"grad_W2": "1", "grad_W1": "2", "grad_b1": "1"}, {"grad_W2": "3", "grad_W1": "6", "grad_b1": "3"}],
            hint=r"Upwards: $a^{(1)} = 1$, $f = 2$. Downwards: $\partial l / \partial f = f - y$, then times 3, then "
            r"times $g'(1)$.",
            explanation=r"$\nabla_{a^{(2)}} = 1$, $\nabla_{h^{(1)}} = \nabla_{a^{(1)}} = 3$; each weight's gradient is "
            "that times what came in.",
        ),
        notes.Exercise(
            "How many forward passes do central differences need for the gradient of all parameters of 784-100-10? "
            "(Backpropagation costs about as much as three.)",
            {"passes": notes.Number("passes")},
            check=passes_needed,
            answer={"passes": "2*79510"}, wrong=[{"passes": "79510"}, {"passes": "2"}],
            hint=r"[Chapter 8](../network/) counts parameters.",
            explanation="159,020 passes: good for a check of a few parameters, hopeless for training.",
        ),
        notes.Exercise(
            "`grad_a` and `h` have a row for each of $n$ examples. Which product is the sum over the examples of "
            r"$\nabla_{a^{(k)}}\, l\; {h^{(k-1)}}'$?",
            {"product": notes.Choice("", ("h.T @ grad_a", outer, "grad_a.T @ h"))},
            check=of_a_batch,
            answer={"product": "grad_a.T @ h"}, wrong=[{"product": "h.T @ grad_a"}, {"product": outer}],
            hint="The gradient of $W$ has the shape of $W$.",
            explanation="The sum over examples is the inner sum of the matrix product.",
        ),
    )  # fmt: skip
    answers = exercises.form()
    return answers, exercises


@app.cell(hide_code=True)
def _(answers, exercises):
    exercises.show(answers)
    return


if __name__ == "__main__":
    app.run()
