package tasks

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// Bounds on what callers may leave in memory.
const (
	// MaxTasks is how many tasks a Store keeps.
	MaxTasks = 1000
	// MaxTitle is the length of a title, in characters.
	MaxTitle = 200
)

// Errors that the tools report to their caller.
var (
	// ErrNotFound means that no task has the given id.
	ErrNotFound = errors.New("no such task")
	// ErrFull means that the store holds MaxTasks tasks.
	ErrFull = fmt.Errorf("the list is full (%d tasks): delete one first", MaxTasks)
	// ErrTitle means an empty title, or one longer than MaxTitle.
	ErrTitle = fmt.Errorf("a title has 1 to %d characters", MaxTitle)
)

// Owner is the user who made a task, as the sidecar verified them. Both fields
// are empty where nothing stands in front of the server.
type Owner struct {
	Subject string `json:"subject,omitempty" jsonschema:"subject of the verified user"`
	Email   string `json:"email,omitempty" jsonschema:"e-mail address of the verified user"`
}

// Task is one thing to do.
type Task struct {
	ID      string    `json:"id" jsonschema:"identifier of the task"`
	Title   string    `json:"title" jsonschema:"what is to be done"`
	Owner   Owner     `json:"owner" jsonschema:"who created the task"`
	Created time.Time `json:"created" jsonschema:"when the task was created"`
}

// Store is a list of tasks in memory, gone with the process. The zero value is
// empty and ready; it may be used from many goroutines at once.
type Store struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu    sync.Mutex
	last  int
	tasks []Task
}

// List returns all tasks, oldest first; never nil.
func (s *Store) List() []Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Task{}, s.tasks...)
}

// Get returns the task with the given id, or ErrNotFound.
func (s *Store) Get(id string) (Task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Task{}, ErrNotFound
	}
	return s.tasks[i], nil
}

// Create adds a task, or returns ErrTitle or ErrFull and adds none.
func (s *Store) Create(title string, owner Owner) (Task, error) {
	if n := utf8.RuneCountInString(title); n == 0 || n > MaxTitle {
		return Task{}, ErrTitle
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tasks) >= MaxTasks {
		return Task{}, ErrFull
	}
	s.last++
	task := Task{ID: strconv.Itoa(s.last), Title: title, Owner: owner, Created: s.now().UTC()}
	s.tasks = append(s.tasks, task)
	return task, nil
}

// Delete removes the task with the given id and returns it, or ErrNotFound.
func (s *Store) Delete(id string) (Task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Task{}, ErrNotFound
	}
	task := s.tasks[i]
	s.tasks = slices.Delete(s.tasks, i, i+1)
	return task, nil
}

func (s *Store) index(id string) int {
	return slices.IndexFunc(s.tasks, func(t Task) bool { return t.ID == id })
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
