import marimo

app = marimo.App(app_title="2 Features and linear separability", width="medium")


@app.cell(hide_code=True)
def _():
    import marimo as mo
    import numpy as np
    from sklearn.kernel_approximation import Nystroem, RBFSampler
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

    import layerwise as lw
    from layerwise import notes

    return FunctionTransformer, Nystroem, PolynomialFeatures, RBFSampler, lw, mo, notes, np, rbf_kernel


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # 2 Features and linear separability

    Two classes are **linearly separable** if some $\mathbf{w}$ and $b$ put them on two sides of a line (a plane, a
    hyperplane):

    $$b + \mathbf{w}^\top \mathbf{x}^{(t)} > 0 \;\text{ where } y^{(t)} = 1,
      \qquad
      b + \mathbf{w}^\top \mathbf{x}^{(t)} < 0 \;\text{ where } y^{(t)} = 0.$$

    Many classes are not. The remedy is a **feature transformation** $\phi(\mathbf{x})$, fixed in advance: what no line
    separates in the space of inputs, a plane may separate in the space of features,

    $$b + \mathbf{w}^\top \phi(\mathbf{x}) > 0,$$

    and seen from the inputs that plane is a curve. The classifier is still linear *in its parameters*, so nothing about
    training it changes: it is a network without a hidden layer, whose input is $\phi(\mathbf{x})$. Some transformations:

    | $\phi(\mathbf{x})$ | what it adds to $(x_1, x_2)$ |
    |---|---|
    | product | $x_1 x_2$ |
    | distance | $x_1^2 + x_2^2$ |
    | polynomial of order $d$ | all $x_1^i x_2^j$ with $i + j \le d$ |
    | Gaussian bumps | $e^{-\gamma {\lVert \mathbf{x} - \mathbf{c}_m \rVert}^2}$ around $M$ rows $\mathbf{c}_m$, in the place of $(x_1, x_2)$ |
    | Nystroem, random Fourier | $M$ features whose products approximate a kernel (below) |
    """)  # noqa: E501
    return


@app.cell(hide_code=True)
def _(notes, np):
    own = notes.Upload(notes.Table.named("iris"), inputs=2, classes=True)
    file = own.button()
    shuffled = np.random.default_rng(0).permutation
    return file, own, shuffled


@app.cell(hide_code=True)
def _(mo):
    noise = mo.ui.slider(0, 0.3, 0.02, value=0.06, label="noise", show_value=True)
    source = mo.ui.dropdown(["xor", "circles", "spirals", "moons", "your own"], value="circles", label="data")
    kind = mo.ui.dropdown(
        ["x itself", "product", "distance", "polynomial", "Gaussian bumps", "Nystroem", "random Fourier"],
        value="polynomial", label=r"$\phi$",
    )  # fmt: skip
    order = mo.ui.slider(1, 6, value=2, label="order $d$", show_value=True)
    count = mo.ui.slider(2, 60, value=20, label="number of features $M$", show_value=True)
    gamma = mo.ui.slider(steps=[0.1, 0.3, 1, 3, 10, 30], value=3, label=r"sharpness $\gamma$", show_value=True)
    look = mo.ui.dropdown(["along the boundary", "principal components", "the last two features"],
                          value="along the boundary", label="view of the feature space")  # fmt: skip
    return count, gamma, kind, look, noise, order, source


@app.cell(hide_code=True)
def _(file, mo, own):
    table, message = own.take(file)
    which = mo.ui.dropdown(dict(zip(table.classes, range(len(table.classes)), strict=True)), value=table.classes[0],
                           label="the class to tell from the rest")  # fmt: skip
    return message, table, which


@app.cell(hide_code=True)
def _(count, file, gamma, kind, look, message, mo, noise, order, source, which):
    _of_phi = {"polynomial": [order], "Gaussian bumps": [count, gamma], "Nystroem": [count, gamma],
               "random Fourier": [count, gamma]}.get(kind.value, [])  # fmt: skip
    _of_data = [file, message, which] if source.value == "your own" else []
    mo.vstack([
        mo.hstack([noise, source, look], justify="start", gap=2, wrap=True),
        mo.hstack([kind, *_of_phi], justify="start", gap=2, wrap=True),
        *_of_data,
    ])  # fmt: skip
    return


@app.cell
def _(lw, noise, shuffled, source, table, which):
    if source.value == "your own":
        rows = shuffled(len(table))[:400]
        X_all, y_all = table.X[rows], table.against_rest(which.value).y[rows]
    else:
        X_all, y_all = getattr(lw.analysis, source.value)(400, noise=noise.value)
    names = table.features if source.value == "your own" else None
    half = len(X_all) // 2  # the other half is never shown to the classifier
    X, y, X_new, y_new = X_all[:half], y_all[:half], X_all[half:], y_all[half:]
    before = lw.analysis.separability(X, y)
    return X, X_new, before, names, y, y_new


@app.cell
def _(FunctionTransformer, Nystroem, PolynomialFeatures, RBFSampler, X, count, gamma, kind, lw, np, order, rbf_kernel, y):  # fmt: skip  # noqa: E501
    M, kernel = min(count.value, len(X)), {"gamma": gamma.value, "random_state": 0}
    phi = {
        "x itself": FunctionTransformer(),
        "product": FunctionTransformer(lambda x: np.column_stack([x, x[:, 0] * x[:, 1]])),
        "distance": FunctionTransformer(lambda x: np.column_stack([x, (x**2).sum(axis=1)])),
        "polynomial": PolynomialFeatures(order.value, include_bias=False),
        "Gaussian bumps": FunctionTransformer(lambda x: rbf_kernel(x, X[:M], gamma.value)),
        "Nystroem": Nystroem(n_components=M, **kernel),
        "random Fourier": RBFSampler(n_components=M, **kernel),
    }[kind.value].fit(X)
    Phi = phi.transform(X)
    after = lw.analysis.separability(Phi, y)
    return Phi, after, phi


@app.cell(hide_code=True)
def _(lw, np):
    def probability(found, features):
        """The sigmoid of b + w'phi."""
        return 1 / (1 + np.exp(-np.clip(found.b + features @ found.w, -500, 500)))

    def draw_space(Phi, y, found, look, ax):
        """The rows in the space of features, in two dimensions of it."""
        view = look == "along the boundary"
        shown = found.view(Phi) if view else Phi
        net = lw.Network(shown.shape[1], [], 2)  # only to say how many columns there are
        last = [shown.shape[1] - 2, shown.shape[1] - 1] if look == "the last two features" else None
        lw.HiddenSpaceDisplay.from_network(
            net, net.initialize(), shown, y, layer=0, units=last, lines=0, boundary=False, legend=False, ax=ax
        )
        ax.set_title("the space of features", fontsize="medium")
        ax.set_aspect("auto")
        if view:
            ax.set(xlabel="distance to the boundary", ylabel="principal component along it")
            for place in {-found.margin, 0.0, found.margin}:
                ax.axvline(place, color="black", linewidth=1.2, linestyle=":" if place else "-", zorder=1)
        elif last:
            ax.set(xlabel=rf"$\phi_{{{last[0] + 1}}}$", ylabel=rf"$\phi_{{{last[1] + 1}}}$")

    return draw_space, probability


@app.cell
def _(Phi, X, after, before, draw_space, look, lw, names, notes, phi, probability, y):
    plain, curved, space = notes.figure(10, 3.6, columns=3)
    for _ax, _title, _decide in [
        (plain, "a line in the inputs", lambda x: probability(before, x)),
        (curved, "a plane in the features, seen from here", lambda x: probability(after, phi.transform(x))),
    ]:
        lw.DecisionBoundary.from_function(
            _decide, X, y, ax=_ax, feature_names=names, resolution=80, colorbar=False, legend=False, title=_title
        )
    draw_space(Phi, y, after, look.value, space)
    for _ax in (plain, curved, space):
        _ax.locator_params(nbins=4)  # ticks take most of the time of a picture
    notes.show(plain, "A linear classifier on the inputs, one on the features, and the space of features.")
    return


@app.cell(hide_code=True)
def _(Phi, X, X_new, after, before, mo, phi, probability, y_new):
    def _row(name, features, found, new):
        said = f"yes, margin {found.margin:.2g}" if found.separable else "no"
        right = ((probability(found, new) > 0.5) == y_new).mean()
        return f"| {name} | {features} | {said} | {found.accuracy:.1%} | {right:.1%} |"

    mo.md("\n".join([
        f"| | features | separable? | right of the {len(X)} rows | right of {len(y_new)} new rows |",
        "|---|---|---|---|---|",
        _row(r"$\mathbf{x}$", X.shape[1], before, X_new),
        _row(r"$\phi(\mathbf{x})$", Phi.shape[1], after, phi.transform(X_new)),
    ]))  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Whether there is such a $\mathbf{w}$ is decided exactly, by a linear programme. Where there is, the boundary drawn
    is the one with the widest **margin**: the distance of the nearest rows (columns standardised), between the dotted
    lines at the right. Where there is none, it is softmax regression's.

    **Try:**

    - *circles*, where one feature more, the squared distance, is enough, and *xor*, where it is $x_1 x_2$. Does the
      distance help with *xor*?
    - *moons*, then *spirals*: from which order on does the polynomial separate them? How many features are that?
    - the *spirals* with Gaussian bumps: sharper, and more of them.
    - *circles* with noise 0.2 and 60 bumps: separable, and what do the new rows say? Compare them with the distance
      alone. **Every** set of different points is separable with a bump at each of them. Features that fit anything
      have learned nothing; how many to take is
      the theme of [chapter 1](../regression/).

    ## Kernels: products of features without the features

    A polynomial of order $d$ of $D$ inputs has $\binom{D + d}{d} - 1$ features beside the constant: for the 784
    pixels of a digit and $d = 3$ already $80\,931\,144$. But a method that needs
    products $\phi(\mathbf{x})^\top \phi(\mathbf{x}')$ only can compute them directly, by a **kernel**:

    $$k(\mathbf{x}, \mathbf{x}') = (1 + \mathbf{x}^\top \mathbf{x}')^d
      \qquad \text{or} \qquad
      k(\mathbf{x}, \mathbf{x}') = e^{-\gamma {\lVert \mathbf{x} - \mathbf{x}' \rVert}^2},$$

    the second with infinitely many features. Approximations go back to $M$ features: *Nystroem* takes the kernel to
    $M$ rows (the same space as Gaussian bumps span, with other axes), *random Fourier features* are
    $\sqrt{2/M} \cos(\omega_m^\top \mathbf{x} + \beta_m)$ with random $\omega_m$ and $\beta_m$. How close do they come
    on 100 rows of the *moons*?
    """)
    return


@app.cell
def _(Nystroem, RBFSampler, gamma, lw, mo, notes, np, rbf_kernel):
    some, _ = lw.analysis.moons(100)
    exact = rbf_kernel(some, gamma=gamma.value)
    counts, errors = [2, 5, 10, 20, 40, 80], {"Nystroem": [], "random Fourier": []}
    for _M in counts:
        for _name, _approximation in [("Nystroem", Nystroem), ("random Fourier", RBFSampler)]:
            _phi = _approximation(gamma=gamma.value, n_components=_M, random_state=0).fit_transform(some)
            errors[_name].append(np.abs(_phi @ _phi.T - exact).mean())
    kernel_ax = notes.figure(6, 3)
    for _name, _values in errors.items():
        kernel_ax.plot(counts, _values, "o-", label=_name)
    kernel_ax.set(xscale="log", xlabel="number of features $M$", ylabel="mean error of the kernel", ylim=(0, None))
    kernel_ax.set_xticks(counts, counts)
    kernel_ax.minorticks_off()
    kernel_ax.grid(alpha=0.25)
    kernel_ax.legend(frameon=False)
    picture = notes.show(kernel_ax, "How far products of features are from the kernel, against their number.")
    mo.vstack([gamma, picture])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    All these $\phi$ are chosen before any data are seen. A network with hidden layers *learns* its own:
    $\phi(\mathbf{x}) = h^{(L)}(\mathbf{x})$, followed by the same linear classifier ([chapter 6](../capacity/) builds
    one for XOR, [chapter 14](../representation/) looks at what is learned).
    """)
    return


@app.cell(hide_code=True)
def _(PolynomialFeatures, lw, notes, np):
    def separates_xor(w_1, w_2, w_3, b):
        """Whether b + w'phi has the right sign at the four corners."""
        corners, either = lw.analysis.xor(4, noise=0)
        a = np.column_stack([corners, corners.prod(axis=1)]) @ [w_1, w_2, w_3] + b
        wrong = np.flatnonzero((a > 0) != either)
        said = ", ".join(f"at ({corners[i][0]:g}, {corners[i][1]:g}) it is {a[i]:.3g}" for i in wrong)
        return f"Of $b + \\mathbf{{w}}^\\top\\phi$: {said}." if len(wrong) else bool((a != 0).all())

    def separates_circles(phi):
        """Whether the one feature separates the circles, and has nothing against other draws of them."""
        rows, inner = lw.analysis.circles(100, noise=0.02)
        feature = np.broadcast_to(phi(*rows.T), len(rows))
        if not np.isfinite(feature).all():
            return "The feature is not finite everywhere."
        found = lw.analysis.separability(feature[:, None], inner)
        return found.separable or f"A threshold on it gets {found.accuracy:.0%} of the rows right."

    def smallest_order():
        """The first order whose powers separate classes that alternate along a line."""
        line, alternating = np.arange(5.0)[:, None], [0, 1, 0, 1, 0]
        orders = (d for d in range(1, 8)
                  if lw.analysis.separability(PolynomialFeatures(d, include_bias=False).fit_transform(line),
                                              alternating).separable)  # fmt: skip
        return next(orders)

    exercises = notes.Exercises(
        notes.Exercise(
            r"XOR with corners $\pm 1$: class 1 where the signs of $x_1$ and $x_2$ differ. Separate it with "
            r"$\phi(\mathbf{x}) = (x_1, x_2, x_1 x_2)$.",
            {"w_1": notes.Number("$w_1$"), "w_2": notes.Number("$w_2$"), "w_3": notes.Number("$w_3$"),
             "b": notes.Number("$b$")},
            check=separates_xor,
            answer={"w_1": "0", "w_2": "0", "w_3": "-1", "b": "0"},
            wrong=[{"w_1": "0", "w_2": "0", "w_3": "1", "b": "0"}, {"w_1": "1", "w_2": "1", "w_3": "0", "b": "-1"}],
            hint="What is $x_1 x_2$ where the signs differ?",
            explanation="$x_1 x_2 = -1$ in class 1 and $+1$ in class 0; the other two features are not needed.",
        ),
        notes.Exercise(
            "Class 1 is a ring of radius 1/2 around 0, class 0 one of radius 1. Write **one** feature with which a "
            "threshold separates them.",
            {"phi": notes.Formula(r"$\phi$", ("x_1", "x_2"))},
            check=separates_circles,
            answer={"phi": "x_1^2 + x_2^2"}, wrong=[{"phi": "x_1*x_2"}, {"phi": "x_1 + x_2"}, {"phi": "1"}],
            hint="What differs between the rings, whatever the angle?",
            explanation="The distance from 0, its square, or anything that grows with it, such as a Gaussian bump.",
        ),
        notes.Exercise(
            "Five points on a line, $x = 0, 1, 2, 3, 4$, of the classes $0, 1, 0, 1, 0$. What is the smallest order of "
            "a polynomial that separates them?",
            {"d": notes.Number("$d$")},
            check=lambda d: d == smallest_order(),
            answer={"d": "4"}, wrong=[{"d": "2"}, {"d": "5"}],
            hint="$b + w_1 x + \\dots + w_d x^d$ has to change its sign between neighbours.",
            explanation="It changes its sign four times, and a polynomial of order $d$ has at most $d$ zeros.",
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
