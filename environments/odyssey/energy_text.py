"""What an energy grid says: our own words, the reference's picture, and the state as plain data."""

from __future__ import annotations

from typing import Any

from .energy_grid import EnergyGrid
from .energy_rules import COLLAPSE, EnergyRules

__all__ = ["feedback", "help_line", "observation", "reference_text", "report", "state"]


def help_line(rules: EnergyRules) -> str:
    """What an action must look like, and what an unusable one costs."""
    thermal, wind, solar, battery = rules.capacity
    return (
        'Give one JSON object with numbers in place of the dots: {"thermal": ..., "wind": ..., "solar": ..., '
        f'"battery": ...}}; thermal 0 to {thermal:g}, wind 0 to {wind:g}, solar 0 to {solar:g}, battery {-battery:g} '
        f"to {battery:g} (minus charges), and 0 for what is left out. No day passed, but the step counts."
    )


def feedback(grid: EnergyGrid) -> str:
    """How the last day went, and, at the end, how the whole run went."""
    rules = grid.rules
    demand, budget = rules.demand[grid.day - 1], rules.budget[grid.day - 1]
    if grid.short or grid.over:
        faults = []
        if grid.short:
            faults.append(f"demand was missed by {demand - grid.supply:.2f}")
        if grid.over:
            faults.append(f"the budget was overrun by {grid.cost - budget:.2f}")
        line = (
            f"Day {grid.day}: {' and '.join(faults)}. "
            f"Days with a violation in a row: {grid.streak} ({COLLAPSE} end the game)."
        )
    else:
        line = f"Day {grid.day}: demand met, budget kept."
    if grid.collapsed:
        return f"{line} The grid collapsed."
    if grid.done:
        return f"{line} That was the last day. The targets are {'met' if grid.success else 'not met'}."
    return line


def observation(grid: EnergyGrid) -> str:
    """The grid in the morning: totals, the last day's numbers, what the day to come asks."""
    rules, day = grid.rules, grid.day
    lines = [
        f"Days over: {day} of {rules.horizon}",
        f"Stability: {grid.mean_stability:.4f} (must end above {rules.target_stability:g})",
        f"Thermal share: {grid.carbon:.4f} (must end below {rules.target_carbon:g})",
        f"Battery: {grid.charge:.2f} of {rules.capacity[3]:g}",
    ]
    if day:
        thermal, wind, solar = grid.output
        flow = f"gave {grid.flow:.2f}" if grid.flow >= 0 else f"took {-grid.flow:.2f}"
        commands = grid.rated
        lines.append(
            f"Last commands: thermal {commands[0]:.2f}, wind {commands[1]:.2f}, solar {commands[2]:.2f}, "
            f"battery {commands[3]:.2f}"
        )
        lines.append(f"Last output: thermal {thermal:.2f}, wind {wind:.2f}, solar {solar:.2f}; battery {flow}")
        lines.append(
            f"Last balance: supply {grid.supply:.2f} for demand {rules.demand[day - 1]:.2f}, "
            f"cost {grid.cost:.2f} of budget {rules.budget[day - 1]:.2f}"
        )
    else:
        thermal, wind, solar, battery = grid.rated
        lines.append(f"Last commands: thermal {thermal:.2f}, wind {wind:.2f}, solar {solar:.2f}, battery {battery:.2f}")
    if not grid.done:
        lines.append(f"Today: demand {rules.demand[day]:.2f}, budget {rules.budget[day]:.2f}")
    return "\n".join(lines)


def reference_text(grid: EnergyGrid) -> str:
    """The grid as the reference shows it, character for character: parity is checked by comparing texts."""
    rules, day = grid.rules, grid.day
    shown = min(day, rules.horizon - 1)
    head = (
        f"\n=== Day {shown} ===\n"
        f"Status: Stability={grid.mean_stability:.3f} | Carbon={grid.carbon:.3f} | Battery={grid.charge}\n"
    )
    if day:
        thermal, wind, solar = grid.output
        flow = f"Discharge {grid.flow:.1f}" if grid.flow >= 0 else f"Charge {-grid.flow:.1f}"
        budget = rules.budget[day - 1]
        if grid.short or grid.over:
            verdict = ("Demand Violated " if grid.short else "") + ("Budget Violated" if grid.over else "")
        else:
            verdict = "Demand Satisfied, Budget Satisfied."
        head += (
            "▶ Last Step Summary:\n"
            f"   Actual Gen: Thermal={thermal:.1f}, Wind={wind:.1f}, Solar={solar:.1f}\n"
            f"   Battery:    {flow}\n"
            f"   Grid:       Supply {grid.supply:.1f} / Demand {rules.demand[day - 1]:.1f}\n"
            f"   Finance:    Cost {grid.cost:.1f} / Budget {budget:.1f} (Vio: {max(0.0, grid.cost - budget):.1f})\n"
            f"   {verdict}\n"
        )
    return (
        f"{head}▶ Forecast for Next Day:\n   Demand: {rules.demand[shown]:.2f}\n   Budget: {rules.budget[shown]:.2f}\n"
    )


def state(grid: EnergyGrid) -> dict[str, Any]:
    """The whole state, named as the reference names it."""
    day = grid.day
    thermal, wind, solar, battery = grid.rated
    made_thermal, made_wind, made_solar = grid.output
    mean = grid.mean_stability
    return {
        "t": day,
        "done": grid.done,
        "thermal_rated": thermal,
        "wind_rated": wind,
        "solar_rated": solar,
        "battery_rated": battery,
        "thermal_actual": made_thermal,
        "wind_actual": made_wind,
        "solar_actual": made_solar,
        "battery_actual": grid.flow,
        "battery_cur": grid.charge,
        "prev_rated": {"thermal": thermal, "wind": wind, "solar": solar, "battery": battery},
        "supply_total": grid.sum_supply,
        "cum_carbon": grid.sum_thermal,
        "share_thermal": grid.carbon,
        "stability": grid.stability,
        "stability_avg": mean,
        "violation_days_cont": grid.streak,
        "budget_violation": grid.over,
        "demand_violation": grid.short,
        "stability_violation": day > 0 and grid.stability <= grid.rules.target_stability,
        "cum_unmet": grid.sum_unmet,
        "cum_budget_violation": grid.sum_overrun,
        "cum_ramp": grid.sum_ramp,
    }


def report(grid: EnergyGrid) -> dict[str, Any]:
    """The last day in numbers, named as the reference names them, and the days with a violation so far."""
    day = grid.day
    if not day:
        return {"violation_days": 0}
    rules = grid.rules
    demand, budget = rules.demand[day - 1], rules.budget[day - 1]
    return {
        "cost_today": grid.cost,
        "budget_today": budget,
        "budget_violation": grid.over,
        "demand_violation": grid.short,
        "stability_violation": grid.stability <= rules.target_stability,
        "demand_unmet": max(0.0, 1 - max(1e-6, grid.supply) / demand),
        "budget_unmet": max(0.0, (grid.cost - budget) / budget),
        "violation_days_cont": grid.streak,
        "stability": grid.stability,
        "battery_flow": grid.flow,
        "violation_days": grid.violations,
    }
