"""The logic: what asks nothing of the machine can be tested without one."""


def greeting_for(name: str) -> str:
    name = name.strip()
    if not name:
        raise ValueError("there is nobody to greet")
    return f"Hello, {name}!"
