// argo-lua SCRIPT: runs a script over the object on standard input as Argo CD would, and prints what the script returns.
//
// It is Argo CD's interpreter with the libraries that Argo CD gives to scripts of its configuration (its util/lua): the
// basic functions, `require`, `table`, and by require("os") the time and the date. Standard input and output are JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// timeout is Argo CD's for one script.
const timeout = time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: argo-lua SCRIPT <OBJECT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "argo-lua:", err)
		os.Exit(1)
	}
}

func run(script string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("read the object: %w", err)
	}
	var object any
	if err := json.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("read the object: %w", err)
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	if err := openLibraries(state); err != nil {
		return fmt.Errorf("open the libraries: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoFile(script); err != nil {
		return err
	}
	returned, err := fromLua(state.Get(-1))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(returned)
}

func openLibraries(state *lua.LState) error {
	libraries := []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
		{lua.OsLibName, lua.OpenOs},
	}
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return err
		}
	}
	leaveTheClock(state)
	return nil
}

// leaveTheClock takes `os` away but for the two functions that can do no harm, and those but for require("os").
func leaveTheClock(state *lua.LState) {
	clock, all := state.NewTable(), state.GetGlobal(lua.OsLibName)
	for _, name := range []string{"time", "date"} {
		clock.RawSetString(name, state.GetField(all, name))
	}
	state.SetGlobal(lua.OsLibName, lua.LNil)
	loaded := state.GetField(state.GetGlobal(lua.LoadLibName), "loaded")
	state.SetField(loaded, lua.OsLibName, clock)
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range value {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// fromLua takes a table without names for a list, the empty one too: Lua cannot tell.
func fromLua(value lua.LValue) (any, error) {
	switch value := value.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(value), nil
	case lua.LNumber:
		return float64(value), nil
	case lua.LString:
		return string(value), nil
	case *lua.LTable:
		return fromTable(value)
	}
	return nil, fmt.Errorf("there is no JSON for a %s", value.Type())
}

func fromTable(table *lua.LTable) (any, error) {
	list, fields := []any{}, map[string]any{}
	var failure error
	table.ForEach(func(key, value lua.LValue) {
		item, err := fromLua(value)
		failure = errors.Join(failure, err)
		if name, isName := key.(lua.LString); isName {
			fields[string(name)] = item
		} else {
			list = append(list, item)
		}
	})
	if len(fields) == 0 {
		return list, failure
	}
	if len(list) > 0 {
		failure = errors.Join(failure, errors.New("a table is both a list and a map"))
	}
	return fields, failure
}
